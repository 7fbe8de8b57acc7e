"""Which titles ask: titles made up in the manner of the real ones, with the truth."""

from hypothesis import given
from hypothesis import strategies as st

from aurastream.core import words
from aurastream.core.title_features import title_features
from aurastream.core.title_questions import asks

QUESTIONS = """
Can You Survive One Night in a Cardboard House
Can We Reach the End Before Sunrise
Can my grandma beat the final boss
Will you open the last door
Will it blend into my base
Will the new boat sink
Is this the smallest farm ever
Is $10 Enough for a Castle
Is Farming Dead After the Patch
Are you ready for round three
Are these glitches real
Was it worth 40 hours
Did We Just Break the Server
Does Water Freeze in the Desert Biome
Do you know this secret room
Do we deserve this loot
Should I delete my world
Should Nova quit ranked
Would You Rather Fly or Teleport
Could this be the fastest route
Have you seen this mob before
Has Anyone Ever Finished This Map
Who is the impostor in my team
Who Stole My Diamonds
Who would win 1 golem or 100 wolves
What happens if you never sleep
What If Every Block Was Lava
What is hidden behind the waterfall
What's Inside the Abandoned Bunker
What game should I play next
What would you do with a million coins
Where is my second base
Where did the villagers go
When does the next season start
When will they fix this
Why is nobody talking about this boss
Why does my team hate me
Why are there no fish here
Which sword is the strongest
Which starter can solo the league
How many blocks can I place in a minute
How long does it take to walk to the border
How far can a cow swim
How is this even legal
How did I miss that
Isn't this a little too easy
Quién es el mejor constructor
Cuál es la espada más rara
Dónde está el tesoro
Cuándo sale la nueva temporada
Por qué es tan difícil este nivel
Qué prefieres, volar o nadar
Quem é o traidor da vila
Será que ele consegue fugir
O que acontece se eu não dormir
Qual é a melhor fazenda
Quando sai a atualização
Qui est le traître du village
Est-ce que le dragon est réel
Où est mon coffre
Quel est le meilleur arc
Warum ist dieses Level so schwer
Wer gewinnt das letzte Rennen
Wie viele Fische passen in den Teich
Was passiert im tiefsten Keller
Hast du das schon gesehen
क्या यह संभव है
Kya hum jeet payenge
このボスは倒せるのか
最後まで残れますか
Are Zombies Real
Were Dragons Ever Here
Will Fortnite Survive
Will Smith be in the next patch
Can 100 players beat Thanos
Can Villagers Swim
¿Quién gana
May I Enter
Shall we go back
Did it break
Did a Bird Steal My Lunch
Did the dragon win
Has a Robot Ever Won
Should I
Did We
""".strip().splitlines()

STATEMENTS = """
Will Smith is back in the lobby
Will Power - Live at the Old Mill
Can Deniz - Gece (Official Video)
Can opener challenge
Do NOT open this door
Do this before the update
Do Zero ao Castelo em 24 Horas
Do or Die - Finale
How to build a lighthouse
How I lost my whole village
How we won with one heart
How Much I Spent on Skins
How a beginner beat the champion
Why I quit ranked
Why you should plant bamboo
Why This Boat Changed Everything
Why everybody loves the new biome
When the boss lags
When you forget your pickaxe
When two builders share one brain
Where the river ends - Official Trailer
What a goal
What A Night (Lyrics)
What I eat before a tournament
What you missed in the trailer
What Nobody Tells You About Trading
Who needs sleep - 24h stream highlights (part 2)
Was für ein Tor
Was ich gestern gebaut habe
Wie ich das Turnier gewann
Warum ich nicht mehr streame
Wenn der Endgegner lacht
Wo die Wölfe wohnen - Trailer
Is-Land Tour Day 4
Have a nice day - piano version
Have Mercy (Remix)
Could Have Been Us (Acoustic)
Would Have Stayed
Should Have Known Better - Cover
The reason why nobody plays this
This is how you win
I know what you did yesterday
Tell me who you are (Official Audio)
Cómo hacer una granja de hierro
Como fazer uma casa na árvore
Comment construire un phare
Qué golazo en el último minuto
Quando você perde tudo (Ao Vivo)
Quem cair perde o castelo
Quand le boss rage
Pourquoi jouer aux échecs
Porque te fuiste - Letra
कैसे बनाएं घर
Kaise banaye ghar
最強の剣を作る
初心者が城を建ててみた
Top 10 rarest fish
I survived 100 days on a raft
Minecraft but rain is lava
Official Trailer | Season 4
WE WON!!!
Are Dan Baciu - Ceasul (Official)
Which Way Home - Soundtrack
Whose Line (Live)
Is Back
Is Here
Is back with a new season
Has a plan
Has a New Base
Did it!
Is Gaming
Did it again in one try
Did a thing
Did a 24 hour stream
Did the math
May the best team win
May 4th stream
Will Ferrell plays chess
Can Bora - Live at Home
Are Sam Green - Dor (Live)
""".strip().splitlines()


def test_titles_that_ask_without_a_question_mark_are_told_from_those_that_do_not() -> None:
    asked = title_features(QUESTIONS)["is_question"]
    told = title_features(STATEMENTS)["is_question"]

    missed = [title for title, is_one in zip(QUESTIONS, asked, strict=True) if not is_one]
    taken = [title for title, is_one in zip(STATEMENTS, told, strict=True) if is_one]

    assert len(QUESTIONS) >= 60 <= len(STATEMENTS)
    # A figure of speech is written as a question is, and a hyphen parts words.
    assert taken == ["Who needs sleep - 24h stream highlights (part 2)", "Is-Land Tour Day 4"]
    assert missed == []
    precision = asked.sum() / (asked.sum() + told.sum())
    assert round(precision, 3) == 0.977


def test_a_question_mark_always_asks() -> None:
    assert title_features([f"{title}?" for title in STATEMENTS])["is_question"].all()


@given(st.text(max_size=60))
def test_what_stands_around_words_does_not_change_whether_they_ask(title: str) -> None:
    (line,) = words.canonical_lines([title])

    assert asks(line.split()) == asks(tuple(line.split()))
    opening = [*line.split(), *"zzzzzz"][:6]
    assert asks([*opening, "x"]) == asks([*opening, "x", "y"])
