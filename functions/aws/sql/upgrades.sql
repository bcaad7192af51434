-- What buyers moved on to: as in sequences.sql, where the later product is of the same category and dearer by at least
-- :dearer (0.1: a tenth). A price is the catalogue's, else what was paid for one on average.
WITH days AS (
  SELECT contact, min(day) AS first_day, max(day) AS last_day
  FROM bought_products
  WHERE contact IS NOT NULL AND date >= CAST(:since AS date) AND back > :leave
  GROUP BY contact
  HAVING min(day) < max(day)
), known AS (
  SELECT b.product, max(b.category) AS category, CAST(sum(b.gross) AS double) / sum(b.quantity) AS paid
  FROM bought_products b
  WHERE b.gross > 0
  GROUP BY b.product
), priced AS (
  SELECT k.product, k.category, coalesce(CAST(p.price AS double), k.paid) AS price
  FROM known k LEFT JOIN products p ON p.product = k.product
  WHERE k.category IS NOT NULL
), firsts AS (
  SELECT b.contact, b.product, min(b.day) AS day, d.first_day, d.last_day, p.category, p.price
  FROM bought_products b JOIN priced p ON p.product = b.product JOIN days d ON d.contact = b.contact
  WHERE b.date >= CAST(:since AS date) AND b.back > :leave
  GROUP BY b.contact, b.product, d.first_day, d.last_day, p.category, p.price
), ranked AS (
  SELECT
    contact, product, day, first_day, last_day, category, price,
    row_number() OVER (PARTITION BY contact ORDER BY day DESC, product) AS nth
  FROM firsts
), held AS (
  SELECT contact, product, day, first_day, last_day, category, price FROM ranked WHERE nth <= :lines
), counted AS (
  SELECT
    product,
    sum(CASE WHEN day < last_day THEN 1 ELSE 0 END) AS early,
    sum(CASE WHEN day > first_day THEN 1 ELSE 0 END) AS late
  FROM held
  GROUP BY product
), total AS (
  SELECT count(*) AS all_in FROM days
), followed AS (
  SELECT
    a.product, b.product AS other, min(a.category) AS category, min(a.price) AS price, min(b.price) AS other_price,
    count(*) AS both_in
  FROM held a
  JOIN held b ON b.contact = a.contact AND b.category = a.category AND b.day > a.day
    AND b.price >= a.price * (1 + :dearer)
  GROUP BY a.product, b.product
  HAVING count(*) >= :support
), best AS (
  SELECT
    f.product, f.other, f.category, f.price, f.other_price, f.both_in, a.early AS first_in, b.late AS other_in,
    t.all_in,
    row_number() OVER (
      PARTITION BY f.product
      ORDER BY f.both_in - CAST(a.early AS double) * b.late / t.all_in DESC, f.other
    ) AS nth
  FROM followed f JOIN counted a ON a.product = f.product JOIN counted b ON b.product = f.other
  CROSS JOIN total t
)
SELECT
  product, other, category, price, other_price, both_in, first_in, other_in, all_in
FROM best
WHERE nth <= :most
ORDER BY first_in DESC, product, nth
