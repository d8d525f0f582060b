//! Instantiates generic code that most scripts use, once, so that rustc does not compile it again for each script.

use serde_json::{json, Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Uses each common generic once. It is never called, and public so that rustc keeps and shares the instances.
pub fn instantiate(context: &Map<String, Value>) -> Result<Value, String> {
    let params = context.get("params").and_then(Value::as_object).ok_or("no params")?;
    let text = params.get("text").and_then(|value| value.as_str()).unwrap_or_default().to_string();
    Ok(json!({
        "words": words(&text),
        "numbers": numbers(params.get("numbers").and_then(Value::as_array).ok_or_else(|| "no numbers".to_string())?),
        "fields": fields(params),
        "counts": counts(&text),
        "text": text,
        "flag": true,
        "count": 1,
        "ratio": 0.5,
        "nothing": null,
        "list": [1u64, 2i64, "three"],
    }))
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_string).collect();
    words.extend(text.split(',').map(|word| word.trim().to_uppercase()));
    words.extend(text.split(' ').map(String::from));
    words.sort();
    words.dedup();
    words.retain(|word| !word.is_empty());
    words.insert(0, words.join(" "));
    words.push(text.chars().rev().collect::<String>());
    words.push(text.replace(' ', "_") + &text.replace("a", "b"));
    words.push(text.lines().collect::<Vec<&str>>().concat());
    words
}

fn numbers(values: &[Value]) -> Value {
    let floats: Vec<f64> = values.iter().filter_map(|value| value.as_f64()).collect();
    let mut integers: Vec<i64> = values.iter().filter_map(|value| value.as_i64()).collect();
    let unsigned: Vec<u64> = values.iter().filter_map(|value| value.as_u64()).collect();
    integers.sort_unstable();
    integers.push(unsigned.iter().sum::<u64>() as i64);
    let parsed = "1".parse::<i64>().map_err(|error| error.to_string());
    let ratio = "1.5".parse::<f64>().map_err(|error| error.to_string());
    let mut values: Vec<Value> = floats.iter().map(|number| json!(number)).collect();
    values.push(json!({"sum": floats.iter().sum::<f64>(), "integers": integers, "unsigned": unsigned, "floats": floats}));
    values.push(json!([parsed.unwrap_or(0), ratio.unwrap_or(0.0), 1i32, 1u32, 1usize, 'c']));
    Value::Array(values)
}

fn fields(params: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in params.iter() {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => format!("{}: {} {:?}", name, other, value),
        };
        fields.insert(name.to_string(), Value::from(text));
    }
    fields.insert("size".to_string(), Value::from(params.len()));
    fields.remove("none");
    fields.contains_key("size");
    fields
}

fn counts(text: &str) -> Value {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut sorted: BTreeMap<String, usize> = BTreeMap::new();
    let mut letters: HashMap<char, usize> = HashMap::new();
    let mut seen: HashSet<String> = HashSet::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_lowercase()).or_insert(0) += 1;
        *sorted.entry(word.to_string()).or_insert(0) += 1;
        seen.insert(word.to_string());
    }
    for letter in text.chars().filter(|letter| letter.is_alphanumeric()) {
        *letters.entry(letter).or_default() += 1;
    }
    let values: HashMap<String, Value> = counts.iter().map(|(word, count)| (word.clone(), json!(count))).collect();
    let mut order: Vec<(&String, &usize)> = counts.iter().collect();
    order.sort_by(|left, right| right.1.cmp(left.1).then(left.0.cmp(right.0)));
    json!({"order": order, "sorted": sorted, "values": values, "seen": seen.len(), "letters": letters.len(), "counts": counts})
}
