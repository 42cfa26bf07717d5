// Parses the AsyncAPI document on standard input and prints its diagnostics as JSON.
"use strict";

globalThis.self = globalThis; // the parser's file is made for a browser
const Parser = require("./vendor/asyncapi-parser.js");

const text = require("node:fs").readFileSync(0, "utf8");
new Parser().parse(text).then(({ document, diagnostics }) => {
  const summary = { operations: document ? document.operations().all().length : 0, diagnostics };
  process.stdout.write(JSON.stringify(summary));
});
