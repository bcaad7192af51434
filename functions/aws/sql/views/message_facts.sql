-- Messages as they stand, each once, with what those that went out have cost, in minor units. day and date: of the day in
-- UTC on which it went out, sent_at: milliseconds; absent of what did not, such as the ghosts of those held out.
WITH stated AS (
  SELECT
    m.*,
    row_number() OVER (PARTITION BY m.message ORDER BY m."at" DESC) AS nth,
    min(CASE WHEN m.state = 'sent' THEN m."at" END) OVER (PARTITION BY m.message) AS went
  FROM messages m
)
SELECT
  s.message, coalesce(l.living, s.contact) AS contact, s.campaign, s.step, s.arm, s.state,
  CAST(substr(s.went, 1, 10) AS date) AS date,
  date_diff('day', CAST('1970-01-01' AS date), CAST(substr(s.went, 1, 10) AS date)) AS day,
  1000 * date_diff(
    'second', CAST('1970-01-01 00:00:00' AS timestamp),
    CAST(substr(s.went, 1, 10) || ' ' || substr(s.went, 12, 8) AS timestamp)
  ) AS sent_at,
  CASE WHEN s.went IS NULL THEN 0 ELSE 1 END AS sent,
  CASE WHEN s.went IS NOT NULL AND s.coupon THEN 1 ELSE 0 END AS coupons,
  CASE WHEN s.went IS NULL THEN 0
    ELSE coalesce(c.perMessage, 0) + CASE WHEN s.coupon THEN coalesce(c.perCoupon, 0) ELSE 0 END
  END AS cost,
  CASE WHEN s.convertedAt IS NULL THEN 0 ELSE 1 END AS converted,
  coalesce(s.convertedValue, 0) AS converted_value
FROM stated s
LEFT JOIN living l ON l.contact = s.contact
LEFT JOIN campaigns c ON c.campaign = s.campaign
WHERE s.nth = 1
