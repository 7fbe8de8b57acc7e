-- The UTC days of the range.
select range.day::date as date
from
    generate_series(
        {{ date_start() }}::timestamp,
        {{ date_end() }}::timestamp - interval '1 day',
        interval '1 day'
    ) as range (day)
