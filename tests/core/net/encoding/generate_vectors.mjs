// Writes vectors.json: what Node's Buffer.from and StringDecoder make of edge cases and of seeded random input.
//   node generate_vectors.mjs [COUNT [SEED]] > vectors.json
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

const edgeTexts = ['', 'a', 'é', '€', '😀', '\ufeffx', '\u0130\u0131', 'Y', 'YQ', 'YQ=', 'YQ==', 'YQ==YQ==', 'YQ=YQ', 'Y=Q=', '=YQ', 'YQŁ==', 'YŁQ',
  'YQĽ=QQ', 'YWJ€j', 'YW\nJj', 'a-_b', '+/+/', '-_-_', '____', 'YWJjZA=\0=', '\u00ad', 'ab', 'abc', 'zz', 'abzz12', 'abšb', '0g', 'g0', 'AB cd', '6ı', 'aŁb'];
const edgeBytes = ['', '41', 'c3a9', 'e282ac', 'f09f9880', 'efbbbf41', 'c080', 'e08080', 'f0808080', 'eda080', 'edb080', 'eda080edb080', 'f4908080',
  'f5808080', 'f8808080', 'fe', 'ff', '80bf', 'e28241', 'e282e282ac', 'f09f41', 'f09f98', 'f090', 'e2', 'c3', 'c341', '3dd800de', '3dd83dd800de', '00de3dd8',
  '3dd8', '3dd800', '610062', '00', 'ffff', 'fffe', '000102', '00010203', '0001020304'];
const names = ['utf8', 'UTF8', 'utf-8', 'Utf-8', 'ucs2', 'UCS-2', 'ucs-2', 'utf16le', 'UTF-16LE', 'utf-16le', 'utf-16-le', 'utf16', 'latin1', 'LATIN1', 'binary',
  'Binary', 'iso-8859-1', 'ascii', 'ASCII', 'us-ascii', 'base64', 'BASE64', 'base64url', 'Base64URL', 'hex', 'HEX', 'buffer', '', 'utf', 'utf_8', 'hex '];

const hexOf = (text) => Buffer.from(text).toString('hex');

function encodeVector(encoding, text) {
  return { encoding, text: hexOf(text), bytes: Buffer.from(text, encoding).toString('hex') };
}

function randomText(encoding) {
  return pick([textMakers.any, textMakers[encoding.startsWith('base64') ? 'base64' : encoding] ?? textMakers.any])();
}

// Halves of a pair that Node returns in two strings are one character only when these are joined: then
// there are no pieces to compare.
function decodeVector(encoding, chunks) {
  const decoder = new StringDecoder(encoding);
  const pieces = [...chunks.map((chunk) => decoder.write(chunk)), decoder.end()];
  const vector = { encoding, chunks: chunks.map((chunk) => chunk.toString('hex')), text: hexOf(pieces.join('')) };
  return pieces.every((piece) => !/\p{Surrogate}/u.test(piece)) ? { ...vector, pieces: pieces.map(hexOf) } : vector;
}

// In one piece, and cut in two at each place.
function cuts(bytes) {
  return [[bytes], ...Array.from({ length: Math.max(bytes.length - 1, 0) }, (_, at) => [bytes.subarray(0, at + 1), bytes.subarray(at + 1)])];
}

function nameVector(name) {
  try {
    return { name, encoding: new StringDecoder(name).encoding };
  } catch (error) {
    return { name, code: error.code, message: error.message };
  }
}

const randomly = (vector) => encodings.flatMap((encoding) => Array.from({ length: count }, () => vector(encoding)));
const encode = [
  ...encodings.flatMap((encoding) => edgeTexts.map((text) => encodeVector(encoding, text))),
  ...randomly((encoding) => encodeVector(encoding, randomText(encoding))),
];
const decode = [
  ...encodings.flatMap((encoding) => edgeBytes.flatMap((hex) => cuts(Buffer.from(hex, 'hex')).map((chunks) => decodeVector(encoding, chunks)))),
  ...randomly((encoding) => decodeVector(encoding, cut(pick(bytesMakers)(encoding)))),
];
const lines = (list) => '[\n' + list.map((entry) => JSON.stringify(entry)).join(',\n') + '\n]';
console.log(`{"encode": ${lines(encode)},\n"decode": ${lines(decode)},\n"names": ${lines(names.map(nameVector))}}`);
