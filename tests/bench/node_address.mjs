// Prints what bench_address measures, with Node's own net.isIP on the same texts beside it.
//
//   node tests/bench/node_address.mjs build/tests/bench/bench_address

import { execFileSync } from 'node:child_process';
import net from 'node:net';

const PASSES = 64;
const ROUNDS = 31;

const bench = process.argv[2];
if (bench === undefined) {
  console.error('usage: node node_address.mjs BENCH-ADDRESS');
  process.exit(1);
}

function run(option) {
  return JSON.parse(execFileSync(bench, [option], { encoding: 'utf8', maxBuffer: 1 << 24 }));
}

let sink = 0;

function measure(texts) {
  const start = process.hrtime.bigint();
  for (let pass = 0; pass < PASSES; pass++) {
    for (const text of texts) sink += net.isIP(text);
  }
  return Number(process.hrtime.bigint() - start) / (PASSES * texts.length);
}

function median(texts) {
  const spent = Array.from({ length: ROUNDS }, () => measure(texts));
  return spent.sort((a, b) => a - b)[ROUNDS >> 1];
}

const inputs = run('--inputs');
const table = {};
for (const { kind, ...figures } of run('--json').rows) {
  table[kind] = { ...figures, [`Node ${process.version}`]: median(inputs[kind]) };
  for (const way in table[kind]) table[kind][way] = Number(table[kind][way].toFixed(1));
}
console.table(table);
if (!(sink > 0)) process.exit(1);
