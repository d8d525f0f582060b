// What only an ES module may ask Node.js: the URL of what an import from another place would find.

export const resolve = import.meta.resolve;
