-- Products in one basket: of each product its best partners, with the counts that support, confidence and lift come of.
-- :since   the first day that counts            :leave    so many last days of each contact are left out (0: none)
-- :lines   of a basket with more products those of the greatest revenue count, so that the join has at most lines x
--          (:lines - 1) / 2 rows: it grows with the lines, and not with the square of the largest basket
-- :products the most-bought products take part   :support  least number of baskets with both       :most  partners each
WITH ranked AS (
  SELECT "order", product, row_number() OVER (PARTITION BY "order" ORDER BY gross DESC, product) AS nth
  FROM bought_products
  WHERE date >= CAST(:since AS date) AND (contact IS NULL OR back > :leave)
), held AS (
  SELECT "order", product FROM ranked WHERE nth <= :lines
), counted AS (
  SELECT product, count(*) AS baskets, row_number() OVER (ORDER BY count(*) DESC, product) AS nth
  FROM held
  GROUP BY product
  HAVING count(*) >= :support
), total AS (
  SELECT count(*) AS all_in FROM (SELECT DISTINCT "order" FROM held) t
), kept AS (
  SELECT h."order", c.nth FROM held h JOIN counted c ON c.product = h.product AND c.nth <= :products
), paired AS (
  -- By number: a pair of numbers is grouped in half the time that a pair of names takes.
  SELECT a.nth AS first, b.nth AS other, count(*) AS both_in
  FROM kept a JOIN kept b ON b."order" = a."order" AND b.nth > a.nth
  GROUP BY a.nth, b.nth
  HAVING count(*) >= :support
), directed AS (
  SELECT first, other, both_in FROM paired
  UNION ALL
  SELECT other AS first, first AS other, both_in FROM paired
), best AS (
  SELECT
    a.product, b.product AS other, d.both_in, a.baskets AS first_in, b.baskets AS other_in, t.all_in,
    row_number() OVER (
      PARTITION BY d.first
      ORDER BY d.both_in - CAST(a.baskets AS double) * b.baskets / t.all_in DESC, b.product
    ) AS nth
  FROM directed d JOIN counted a ON a.nth = d.first JOIN counted b ON b.nth = d.other CROSS JOIN total t
)
SELECT product, other, both_in, first_in, other_in, all_in
FROM best
WHERE nth <= :most
ORDER BY first_in DESC, product, nth
