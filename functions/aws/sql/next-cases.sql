-- What recommendations are tried on: of about :customers contacts, evenly drawn, what they had bought by the day before
-- the :leave-th of their last days, and what was new on that day (target 1). day: when the product was bought last by then.
WITH seen AS (
  SELECT contact, max(back) AS days FROM bought_products WHERE contact IS NOT NULL GROUP BY contact HAVING max(back) > :leave
), numbered AS (
  SELECT contact, row_number() OVER (ORDER BY contact) AS nth, count(*) OVER () AS many FROM seen
), drawn AS (
  SELECT contact FROM numbered WHERE (nth * :customers) % many < :customers
), owned AS (
  SELECT b.contact, b.product, max(b.day) AS day
  FROM bought_products b JOIN drawn d ON d.contact = b.contact
  WHERE b.back > :leave
  GROUP BY b.contact, b.product
), fresh AS (
  SELECT DISTINCT b.contact, b.product
  FROM bought_products b JOIN drawn d ON d.contact = b.contact
  LEFT JOIN owned o ON o.contact = b.contact AND o.product = b.product
  WHERE b.back = :leave AND o.product IS NULL
)
SELECT o.contact, o.product, o.day, 0 AS target FROM owned o JOIN (SELECT DISTINCT contact FROM fresh) f ON f.contact = o.contact
UNION ALL
SELECT contact, product, 0 AS day, 1 AS target FROM fresh
ORDER BY contact, target, day DESC, product
