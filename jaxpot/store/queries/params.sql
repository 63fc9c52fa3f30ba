-- The specs, with a column for each parameter.
PIVOT spec_params ON path USING any_value(value) GROUP BY uid, run ORDER BY uid;
