// Any call as a text to paste: curl, Python, JavaScript. The token stays out of it.

import { BASE } from './api';
import { pretty } from './format';
import type { Params } from './types';

export type Kind = 'curl' | 'Python' | 'JavaScript';
export const KINDS: Kind[] = ['curl', 'Python', 'JavaScript'];

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export function snippet(kind: Kind, ref: string, params: Params): string {
  const url = `${location.origin}${BASE}/api/v1/functions/${ref}/execute`;
  const compact = JSON.stringify({ params });
  if (kind === 'curl') {
    return `curl -s ${quoted(url)} -H "Authorization: Bearer $TOKEN" \\\n  -H 'Content-Type: application/json' -d ${quoted(compact)}\n`;
  }
  if (kind === 'Python') {
    return `import json
import os
import urllib.request

body = json.loads(${JSON.stringify(compact)})
request = urllib.request.Request(
    ${JSON.stringify(url)},
    data=json.dumps(body).encode(),
    headers={"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as response:
    print(json.load(response)["result"])
`;
  }
  return `const response = await fetch(${JSON.stringify(url)}, {
  method: 'POST',
  headers: { Authorization: \`Bearer \${process.env.TOKEN}\`, 'Content-Type': 'application/json' },
  body: JSON.stringify(${pretty({ params }).replaceAll('\n', '\n  ')}),
});
console.log((await response.json()).result);
`;
}
