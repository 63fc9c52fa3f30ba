-- The specs of all runs, one column per parameter.
PIVOT spec_params ON path USING any_value(value) GROUP BY uid, run ORDER BY uid;
