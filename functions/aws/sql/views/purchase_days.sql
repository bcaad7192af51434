-- What a contact bought on a day: orders of one day count as one purchase. orders is 0 on a day of credit notes alone.
SELECT
  contact, day, sum(placed) AS orders, sum(revenue) AS revenue, sum(margin) AS margin, sum(valued) AS valued
FROM sales
WHERE contact IS NOT NULL
GROUP BY contact, day
