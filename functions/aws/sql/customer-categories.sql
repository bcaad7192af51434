-- What each contact bought by category, before what came back; lines of no known category are left out.
SELECT contact, category, sum(gross) AS revenue, count(DISTINCT "order") AS orders
FROM sale_lines
WHERE contact IS NOT NULL AND category IS NOT NULL AND placed = 1
GROUP BY contact, category
