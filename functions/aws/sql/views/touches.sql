-- Orders with the campaign whose mail went out last before them, at most seven days: the last touch, not a cause.
WITH near AS (
  SELECT
    s."order", m.campaign,
    row_number() OVER (PARTITION BY s."order" ORDER BY m.sent_at DESC, m.message) AS nth
  FROM sales s
  JOIN message_facts m
    ON m.contact = s.contact AND m.sent_at <= s.instant AND m.sent_at > s.instant - 604800000
  WHERE s.placed = 1 AND m.sent = 1
)
SELECT "order", campaign FROM near WHERE nth = 1
