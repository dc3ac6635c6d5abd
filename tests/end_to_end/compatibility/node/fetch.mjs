import { host, check, ok, payload, port } from './support.mjs';

const url = `http://${host}:${port}/fetch`;
const put = await fetch(url, { method: 'PUT', body: payload });
if (!put.ok)
  throw new Error(`PUT: ${put.status}`);
const got = await fetch(url);
check(new Uint8Array(await got.arrayBuffer()));
await fetch(url, { method: 'DELETE' });
ok();
