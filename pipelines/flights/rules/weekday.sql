-- The weekday is that of the span.

FROM examples
WHERE weekday <> isodow($span::DATE)
