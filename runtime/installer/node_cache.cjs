// Loaded before npm where NPM_CACHE_DIR is set. npm writes into the index of its cache even when it only reads, so a
// job gets a copy of the index; the content, which npm checks by its hashes, stays where it is and is only read.
'use strict';

const { cpSync, mkdirSync, symlinkSync } = require('node:fs');

const given = process.env.NPM_CACHE_DIR;
const own = 'cache/_cacache';

mkdirSync(own, { recursive: true });
cpSync(`${given}/_cacache/index-v5`, `${own}/index-v5`, { recursive: true });
symlinkSync(`${given}/_cacache/content-v2`, `${own}/content-v2`);
