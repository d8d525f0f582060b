//! Checks the fields of an object against rules: required, numeric.

use serde_json::{json, Map, Value};

pub fn handler(context: Map<String, Value>) -> Result<Value, String> {
    let params = object(context.get("params"), "params")?;
    let data = object(params.get("data"), "data")?;
    let rules = object(params.get("rules"), "rules")?;
    let mut errors = Vec::new();
    for (field, names) in rules {
        let names = names.as_array().ok_or_else(|| format!("rules.{field} must be a list"))?;
        for name in names {
            let rule = name.as_str().ok_or_else(|| format!("rules.{field} must be a list of names"))?;
            if let Some(message) = broken(rule, field, data.get(field))? {
                errors.push(json!({"field": field, "rule": rule, "message": message}));
            }
        }
    }
    Ok(json!({"valid": errors.is_empty(), "errors": errors}))
}

fn object<'a>(value: Option<&'a Value>, name: &str) -> Result<&'a Map<String, Value>, String> {
    value.and_then(Value::as_object).ok_or_else(|| format!("{name} must be an object"))
}

/// What is wrong with the value by the rule. A field that is not there breaks `required` only.
fn broken(rule: &str, field: &str, value: Option<&Value>) -> Result<Option<String>, String> {
    let is_missing = matches!(value, None | Some(Value::Null)) || value.and_then(Value::as_str) == Some("");
    match rule {
        "required" => Ok(is_missing.then(|| format!("{field} is required"))),
        "numeric" => Ok((!is_missing && !is_numeric(value)).then(|| format!("{field} must be numeric"))),
        other => Err(format!("unknown rule {other}; there are required and numeric")),
    }
}

/// Numbers, and texts that hold one.
fn is_numeric(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Number(_)) => true,
        Some(Value::String(text)) => text.trim().parse::<f64>().map_or(false, f64::is_finite),
        _ => false,
    }
}
