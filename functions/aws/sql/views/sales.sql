-- Orders as they stand, without the cancelled ones. placed: 1 of an order, 0 of a credit note that belongs to none, which
-- is negative revenue at its date. Orders in another currency count, and their money is 0. revenue and margin are net of
-- what came back. contact: the living one, absent for a guest. day: days since 1970-01-01; instant: milliseconds. What is
-- dated after today is not there yet.
WITH stated AS (
  SELECT o.*, row_number() OVER (PARTITION BY o."order" ORDER BY o.version DESC) AS nth
  FROM orders o
)
SELECT
  s."order", s.version, s."at" AS instant,
  coalesce(m.living, s.contact) AS contact,
  CAST(s.date AS date) AS date,
  date_diff('day', CAST('1970-01-01' AS date), CAST(s.date AS date)) AS day,
  CASE WHEN s.completed THEN 1 ELSE 0 END AS placed,
  CASE WHEN s.currency = :currency THEN s.revenue ELSE 0 END AS gross,
  CASE WHEN s.currency = :currency THEN s.refunded ELSE 0 END AS refunded,
  CASE WHEN s.currency = :currency THEN s.revenue - s.refunded ELSE 0 END AS revenue,
  CASE WHEN s.currency = :currency THEN s.margin ELSE 0 END AS margin,
  CASE WHEN s.currency = :currency THEN s.valued ELSE 0 END AS valued,
  CASE WHEN s.currency = :currency THEN s.discount ELSE 0 END AS discount,
  CASE WHEN s.currency = :currency THEN 0 ELSE 1 END AS foreign_money,
  s.coupon, s.channel
FROM stated s LEFT JOIN living m ON m.contact = s.contact
WHERE s.nth = 1 AND NOT s.cancelled
  AND date_diff('day', CAST('1970-01-01' AS date), CAST(s.date AS date)) <= :today
