-- A flight goes to another airport, of three capital letters.

FROM examples
WHERE dest = origin OR NOT regexp_full_match(dest, '[A-Z]{3}')
