// Measures Node's own net.BlockList as bench_block_list measures ours: random IPv4 and IPv6 addresses, ns a check
// that matches nothing, so that every rule is looked at. Prints JSON.
//
//   node tests/bench/node_block_list.mjs [MOST-RULES]

import net from 'node:net';

const MOST_RULES = Number(process.argv[2] ?? 100_000);
const SECONDS_A_ROW = 1;

let state = 1;
function random16() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state >>> 16;
}

const address4 = () => `${random16() % 100}.${random16() & 255}.${random16() & 255}.${random16() & 255}`;
const address6 = () => `2001:${[0, 0, 0, 0, 0, 0].map(() => random16().toString(16)).join(':')}:1`;
const rows = [];

function measure(type, address, other, rules) {
  const list = new net.BlockList();
  const start = process.hrtime.bigint();
  for (let i = 0; i < rules; i++) list.addAddress(address(), type);
  const add_ns = Number(process.hrtime.bigint() - start) / rules;
  const asked = Array.from({ length: 64 }, other);
  const begin = process.hrtime.bigint();
  let checks = 0;
  let now = begin;
  for (; now - begin < SECONDS_A_ROW * 1e9; now = process.hrtime.bigint()) {
    if (list.check(asked[checks++ % asked.length], type)) throw new Error('a rule that cannot match did');
  }
  rows.push({ list: type === 'ipv4' ? 'IPv4 addresses' : 'IPv6 addresses', rules, check_ns: Number(now - begin) / checks, add_ns });
}

for (let rules = 10; rules <= MOST_RULES; rules *= 10) {
  measure('ipv4', address4, () => `200.${random16() & 255}.${random16() & 255}.1`, rules);
  measure('ipv6', address6, () => `2002::${random16().toString(16)}`, rules);
}
console.log(JSON.stringify({ node: process.version, rows }, null, 1));
