-- The lines of the sales, of the version that stands, each once; what has no lines is one line without a product, so that
-- lines add up to sales. gross: before refunds. revenue and margin are net of what came back; margin is absent where it is
-- not known, valued is the revenue of which it is known.
WITH stated AS (
  SELECT l.*, row_number() OVER (PARTITION BY l."order", l.version, l.line ORDER BY l.revenue) AS nth
  FROM lines l
)
SELECT
  s."order", l.line, s.contact, s.date, s.day, s.placed, s.channel,
  l.product, coalesce(l.category, p.category) AS category,
  l.quantity, l.returned,
  CASE WHEN s.foreign_money = 1 THEN 0 WHEN l.line IS NULL THEN s.gross ELSE l.revenue END AS gross,
  CASE WHEN s.foreign_money = 1 THEN 0 WHEN l.line IS NULL THEN s.refunded ELSE l.refunded END AS refunded,
  CASE WHEN s.foreign_money = 1 THEN 0 WHEN l.line IS NULL THEN s.revenue ELSE l.revenue - l.refunded END AS revenue,
  CASE WHEN s.foreign_money = 1 THEN NULL ELSE l.margin END AS margin,
  CASE WHEN s.foreign_money = 1 OR l.margin IS NULL THEN 0 ELSE l.revenue - l.refunded END AS valued
FROM sales s
LEFT JOIN stated l ON l."order" = s."order" AND l.version = s.version AND l.nth = 1
LEFT JOIN products p ON p.product = l.product
