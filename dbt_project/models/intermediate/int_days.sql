-- The UTC days that the range touches.
select range.day::date as date
from
    generate_series(
        {{ date_start() }}::timestamp,
        ({{ range_end() }} - interval '1 microsecond') at time zone 'UTC',
        interval '1 day'
    ) as range (day)
