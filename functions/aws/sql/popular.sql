-- What is bought in most orders since a day: of each category the best, and over all under the empty name.
-- :since  the first day that counts     :leave  so many last days of each contact are left out (0: none)
-- :most   products of a category, and over all
WITH sold AS (
  SELECT product, max(category) AS category, count(*) AS baskets
  FROM bought_products
  WHERE date >= CAST(:since AS date) AND (contact IS NULL OR back > :leave)
  GROUP BY product
), placed AS (
  SELECT category, product, baskets FROM sold WHERE category IS NOT NULL AND category <> ''
  UNION ALL
  SELECT '' AS category, product, baskets FROM sold
), ranked AS (
  SELECT
    category, product, baskets, row_number() OVER (PARTITION BY category ORDER BY baskets DESC, product) AS nth
  FROM placed
)
SELECT category, product, baskets, nth FROM ranked WHERE nth <= :most ORDER BY category, nth
