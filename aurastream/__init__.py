"""AuraStream: creator intelligence for YouTube and Twitch, free of any framework."""
