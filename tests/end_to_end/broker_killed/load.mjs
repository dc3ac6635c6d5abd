// Traffic over the broker, which dies meanwhile: load.mjs PORT of an echo server. What it prints is in test_broker_killed.py.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import net from '../../../clients/node/index.mjs';

const CONNECTIONS = 16;
const CHUNK = 8192; // bytes
const ENOUGH = 16; // chunks that each connection has echoed before the broker dies
const PAUSE = 50; // ms between tries to connect

const port = Number(process.argv[2]);
const open = () => net.connect({ port, host: '127.0.0.1' });
const chunk = (number) => Buffer.from(String(number).padStart(8, '0').repeat(CHUNK / 8));

// Gives the chunks that come, each whole.
async function* echoes(socket) {
  let held = Buffer.alloc(0);
  for await (const data of socket) {
    held = Buffer.concat([held, data]);
    for (; held.length >= CHUNK; held = held.subarray(CHUNK))
      yield held.subarray(0, CHUNK);
  }
}

// Resolves with the error that ends the connection.
async function echoForEver(onLoaded) {
  const socket = open();
  let number = 0;
  socket.write(chunk(number));
  try {
    for await (const echoed of echoes(socket)) {
      assert.deepEqual(echoed, chunk(number));
      if (++number === ENOUGH)
        onLoaded();
      socket.write(chunk(number));
    }
  } catch (error) {
    return error;
  }
  assert.fail('the stream ended as if the peer had ended it');
}

async function echoOnce() {
  const socket = open();
  socket.write(chunk(1));
  for await (const echoed of echoes(socket)) {
    assert.deepEqual(echoed, chunk(1));
    return;
  }
}

// A dying broker's listener is closed after its sessions, and resets who has connected meanwhile.
const NOT_THERE = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET'];

async function echoWhenPossible() {
  for (;;) {
    try {
      return await echoOnce();
    } catch (error) {
      assert.ok(NOT_THERE.includes(error.code), error);
      await sleep(PAUSE);
    }
  }
}

let loaded = 0;
const onLoaded = () => {
  if (++loaded === CONNECTIONS)
    console.log('loaded');
};
const errors = await Promise.all(Array.from({ length: CONNECTIONS }, () => echoForEver(onLoaded)));
console.log('lost', JSON.stringify(errors.map((error) => `${error.code}: ${error.message}`)));
assert.ok(errors.every((error) => error.code === 'ECONNRESET'));
await echoWhenPossible();
console.log('again');
