-- Rain and fog come with damp air.

-- In 2013 it never rained below a humidity of 48 per cent, nor could less than 5 miles be seen below 54.
FROM examples
WHERE (precip > 0 AND humid < 40) OR (visib < 5 AND humid < 45)
