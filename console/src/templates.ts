// What a new function begins with, in each language: it runs as it is, and has a schema and an example.

import type { Definition } from './types';

export const LANGUAGES = ['python', 'nodejs', 'typescript', 'rust'] as const;
export type Language = (typeof LANGUAGES)[number];
export const LABELS: Record<Language, string> = {
  python: 'Python', nodejs: 'JavaScript', typescript: 'TypeScript', rust: 'Rust',
};

const SCRIPTS: Record<Language, string> = {
  python: `def handle(params):
    name = params["name"]
    print("greeting", name)
    return {"greeting": f"Hello, {name}!", "letters": len(name)}
`,
  nodejs: `module.exports = async ({ params }) => {
  console.log('greeting', params.name);
  return { greeting: \`Hello, \${params.name}!\`, letters: params.name.length };
};
`,
  typescript: `type Params = { name: string };

export default async ({ params }: { params: Params }) => {
  console.log('greeting', params.name);
  return { greeting: \`Hello, \${params.name}!\`, letters: params.name.length };
};
`,
  rust: `use serde_json::{json, Map, Value};

pub fn handler(context: Map<String, Value>) -> Result<Value, String> {
    let name = context["params"]["name"].as_str().ok_or("name is no text")?;
    println!("greeting {name}");
    Ok(json!({ "greeting": format!("Hello, {name}!"), "letters": name.chars().count() }))
}
`,
};

export function isLanguage(text: string): text is Language {
  return (LANGUAGES as readonly string[]).includes(text);
}

export function template(language: Language): Definition {
  return {
    script_content: SCRIPTS[language],
    description: '',
    tags: [],
    schema: {
      params: { type: 'object', required: ['name'], properties: { name: { type: 'string', description: 'whom to greet', default: 'Ada' } } },
    },
    enforce_result: false,
    examples: [{ name: 'a name', params: { name: 'Ada' }, result: { greeting: 'Hello, Ada!', letters: 3 } }],
    defaults: {},
    packages: [],
  };
}
