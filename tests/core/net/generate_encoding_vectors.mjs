// Writes encoding_vectors.json: what Node's Buffer.from and StringDecoder make of seeded random input.
//   node generate_encoding_vectors.mjs [COUNT [SEED]] > encoding_vectors.json
// All texts and bytes are hex, texts of their UTF-8: JSON has no way to write what is not valid.
import { StringDecoder } from 'node:string_decoder';

const [count = 60, seed = 1] = process.argv.slice(2).map(Number);
const encodings = ['utf8', 'utf16le', 'latin1', 'ascii', 'base64', 'base64url', 'hex'];

let state = seed;
function random(below) { // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
const pick = (list) => list[random(list.length)];
const repeat = (most, make) => Array.from({ length: random(most + 1) }, make);

const characters = ['a', '=', '-', '_', '+', '/', ' ', '\n', 'é', 'ř', 'İ', '€', '\u2603', '\ufeff', '\ufffd', '\0',
  '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '😀', '🚀', '\u{10ffff}'];
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_';
const textMakers = {
  any: () => repeat(12, () => pick(characters)).join(''),
  hex: () => repeat(20, () => random(20) ? pick('0123456789abcdefABCDEF') : pick(characters)).join(''),
  base64: () => repeat(20, () => random(20) ? pick(letters) : pick(characters)).join('') + '='.repeat(random(4)),
};

// Characters whole and cut, and the bytes that the edges of UTF-8 and UTF-16 are made of.
const awkward = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xd8, 0xdb, 0xdc, 0xdf,
  0xe0, 0xe2, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xf8, 0xff];
const bytesMakers = [
  () => Buffer.from(repeat(12, () => pick(awkward))),
  () => Buffer.from(repeat(12, () => random(256))),
  (encoding) => Buffer.concat(repeat(8, () => {
    const whole = Buffer.from(pick(characters), encoding === 'utf16le' ? 'utf16le' : 'utf8');
    return whole.subarray(0, random(4) ? whole.length : random(whole.length + 1));
  })),
];

function cut(bytes) {
  const chunks = [];
  for (let at = 0; at < bytes.length;) {
    const size = random(5);
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

const hexOf = (text) => Buffer.from(text).toString('hex');

function encodeVector(encoding) {
  const text = pick([textMakers.any, textMakers[encoding.startsWith('base64') ? 'base64' : encoding] ?? textMakers.any])();
  return { encoding, text: hexOf(text), bytes: Buffer.from(text, encoding).toString('hex') };
}

// Halves of a pair that Node returns in two strings are one character only when these are joined: then
// there are no pieces to compare.
function decodeVector(encoding) {
  const chunks = cut(pick(bytesMakers)(encoding));
  const decoder = new StringDecoder(encoding);
  const pieces = [...chunks.map((chunk) => decoder.write(chunk)), decoder.end()];
  const vector = { encoding, chunks: chunks.map((chunk) => chunk.toString('hex')), text: hexOf(pieces.join('')) };
  return pieces.every((piece) => !/\p{Surrogate}/u.test(piece)) ? { ...vector, pieces: pieces.map(hexOf) } : vector;
}

const make = (vector) => encodings.flatMap((encoding) => Array.from({ length: count }, () => vector(encoding)));
const lines = (list) => '[\n' + list.map((entry) => JSON.stringify(entry)).join(',\n') + '\n]';
console.log(`{"encode": ${lines(make(encodeVector))},\n"decode": ${lines(make(decodeVector))}}`);
