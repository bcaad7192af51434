-- Contacts that live, each once: the country that was said last of one of its parts, and when the first was made.
WITH stated AS (
  SELECT contact, country, createdAt, row_number() OVER (PARTITION BY contact ORDER BY version DESC) AS nth
  FROM contacts
), parts AS (
  SELECT
    coalesce(m.living, s.contact) AS contact, s.country, s.createdAt,
    row_number() OVER (
      PARTITION BY coalesce(m.living, s.contact)
      ORDER BY CASE WHEN s.country IS NULL THEN 1 ELSE 0 END, CASE WHEN m.living IS NULL THEN 0 ELSE 1 END, s.contact
    ) AS nth,
    min(s.createdAt) OVER (PARTITION BY coalesce(m.living, s.contact)) AS since
  FROM stated s LEFT JOIN living m ON m.contact = s.contact
  WHERE s.nth = 1
)
SELECT contact, country, since FROM parts WHERE nth = 1
