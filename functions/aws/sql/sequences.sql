-- What is bought after: of contacts who bought on two days or more, those who first bought a product and on a later day,
-- for the first time, another one. first_in: bought the product before their last day, so that an "after" was possible;
-- other_in: bought the other one after their first day; all_in: all of them.
-- :since  the first day that counts          :leave     so many last days of each contact are left out (0: none)
-- :lines  of a contact with more products those first bought last count, which bounds the join as in pairs.sql
-- :products the most-bought products take part  :support  least number of contacts with both      :most  products each
WITH days AS (
  SELECT contact, min(day) AS first_day, max(day) AS last_day
  FROM bought_products
  WHERE contact IS NOT NULL AND date >= CAST(:since AS date) AND back > :leave
  GROUP BY contact
  HAVING min(day) < max(day)
), firsts AS (
  SELECT b.contact, b.product, min(b.day) AS day, d.first_day, d.last_day
  FROM bought_products b JOIN days d ON d.contact = b.contact
  WHERE b.date >= CAST(:since AS date) AND b.back > :leave
  GROUP BY b.contact, b.product, d.first_day, d.last_day
), ranked AS (
  SELECT
    contact, product, day, first_day, last_day,
    row_number() OVER (PARTITION BY contact ORDER BY day DESC, product) AS nth
  FROM firsts
), held AS (
  SELECT contact, product, day, first_day, last_day FROM ranked WHERE nth <= :lines
), counted AS (
  SELECT
    product,
    sum(CASE WHEN day < last_day THEN 1 ELSE 0 END) AS early,
    sum(CASE WHEN day > first_day THEN 1 ELSE 0 END) AS late,
    row_number() OVER (ORDER BY count(*) DESC, product) AS nth
  FROM held
  GROUP BY product
  HAVING count(*) >= :support
), total AS (
  SELECT count(*) AS all_in FROM days
), kept AS (
  SELECT h.contact, h.day, c.nth FROM held h JOIN counted c ON c.product = h.product AND c.nth <= :products
), followed AS (
  -- By number, as in pairs.sql.
  SELECT a.nth AS first, b.nth AS other, count(*) AS both_in
  FROM kept a JOIN kept b ON b.contact = a.contact AND b.day > a.day
  GROUP BY a.nth, b.nth
  HAVING count(*) >= :support
), best AS (
  SELECT
    a.product, b.product AS other, f.both_in, a.early AS first_in, b.late AS other_in, t.all_in,
    row_number() OVER (
      PARTITION BY f.first
      ORDER BY f.both_in - CAST(a.early AS double) * b.late / t.all_in DESC, b.product
    ) AS nth
  FROM followed f JOIN counted a ON a.nth = f.first JOIN counted b ON b.nth = f.other CROSS JOIN total t
)
SELECT product, other, both_in, first_in, other_in, all_in
FROM best
WHERE nth <= :most
ORDER BY first_in DESC, product, nth
