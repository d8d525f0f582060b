// Builds the console: `npm ci && node build.mjs [FOLDER]`. The files go to controller/web/console by default.
// The same sources and the same lock file give the same bytes; a test compares them.
import { execFileSync } from 'node:child_process';
import { readFile, rm, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname;
const target = path.resolve(process.argv[2] ?? path.join(here, '../controller/web/console'));
const compiler = path.join(here, 'node_modules/typescript/bin/tsc');
execFileSync(process.execPath, [compiler, '--noEmit', '--project', here], { stdio: 'inherit' });

await rm(target, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { app: 'src/main.tsx', style: 'src/style.css', icon: 'src/icon.svg' },
  outdir: path.join(target, 'assets'),
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: ['es2022', 'safari16'],
  loader: { '.svg': 'copy' },
  minify: true,
  legalComments: 'none',
  metafile: true,
});

const names = Object.entries(metafile.outputs)
  .filter(([, output]) => output.entryPoint)
  .map(([file, output]) => [path.basename(output.entryPoint), path.basename(file)]);
let page = await readFile(path.join(here, 'src/index.html'), 'utf8');
for (const [source, built] of names) page = page.replace(`{{${source}}}`, `console/${built}`);
await mkdir(target, { recursive: true });
await writeFile(path.join(target, 'index.html'), page);
