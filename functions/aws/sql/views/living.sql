-- Contacts that were merged, with the contact that each has become. Merges of merges are followed up to eight times.
WITH stated AS (
  SELECT contact, "into", row_number() OVER (PARTITION BY contact ORDER BY version DESC) AS nth
  FROM contacts
), one AS (
  SELECT contact, "into" AS living FROM stated WHERE nth = 1 AND "into" IS NOT NULL
), two AS (
  SELECT a.contact, coalesce(b.living, a.living) AS living FROM one a LEFT JOIN one b ON b.contact = a.living
), four AS (
  SELECT a.contact, coalesce(b.living, a.living) AS living FROM two a LEFT JOIN two b ON b.contact = a.living
)
SELECT a.contact, coalesce(b.living, a.living) AS living FROM four a LEFT JOIN four b ON b.contact = a.living
