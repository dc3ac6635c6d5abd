import https from 'node:https';
import axios from 'axios';
import { check, ok, payload, port, trust } from './support.mjs';

const agent = new https.Agent({ keepAlive: true, ...trust() });
const client = axios.create({ baseURL: `https://localhost:${port}`, httpsAgent: agent, responseType: 'arraybuffer' });
await client.put('/axios', payload);
check((await client.get('/axios')).data);
agent.destroy();
ok();
