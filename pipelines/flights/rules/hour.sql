-- The hour is that of the minute.

FROM examples
WHERE hour <> minute // 60
