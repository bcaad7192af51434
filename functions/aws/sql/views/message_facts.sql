-- Messages as they stand, each once; ghosts are what was held out. day: of the day in UTC on which it was planned.
WITH stated AS (
  SELECT m.*, row_number() OVER (PARTITION BY m.message ORDER BY m."at" DESC) AS nth
  FROM messages m
)
SELECT
  s.message, coalesce(l.living, s.contact) AS contact, s.campaign, s.step, s.arm, s.state,
  CAST(substr(s.plannedAt, 1, 10) AS date) AS date,
  date_diff('day', CAST('1970-01-01' AS date), CAST(substr(s.plannedAt, 1, 10) AS date)) AS day,
  CASE WHEN s.state = 'sent' THEN 1 ELSE 0 END AS sent,
  CASE WHEN s.state = 'sent' AND s.coupon THEN 1 ELSE 0 END AS coupons,
  CASE WHEN s.convertedAt IS NOT NULL THEN 1 ELSE 0 END AS converted,
  coalesce(s.convertedValue, 0) AS converted_value
FROM stated s LEFT JOIN living l ON l.contact = s.contact
WHERE s.nth = 1
