import got from 'got';
import { check, ok, payload, port, trust } from './support.mjs';

const options = { https: { certificateAuthority: trust().ca }, retry: { limit: 0 } };
const url = `https://localhost:${port}/got`;
await got.put(url, { ...options, body: payload });
check(await got(url, options).buffer());
const again = await got(url, { ...options, http2: true }).buffer();
check(again);
ok();
