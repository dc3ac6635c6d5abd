// Trusts what NODE_EXTRA_CA_CERTS names.
import { check, ok, payload, port } from './support.mjs';

const url = `https://localhost:${port}/fetch`;
const put = await fetch(url, { method: 'PUT', body: payload });
if (!put.ok)
  throw new Error(`PUT: ${put.status}`);
const got = await fetch(url);
check(new Uint8Array(await got.arrayBuffer()));
ok();
