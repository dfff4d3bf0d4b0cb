// SPDX-License-Identifier: MIT
// Builds objects, maps and buffers, as many as the argument says, and prints digests.
"use strict";
const crypto = require("crypto");

const count = Number(process.argv[2]);

function* numbers(n) {
	let state = 12345;
	for (let i = 0; i < n; i++) {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		yield state;
	}
}

function digest(parts) {
	const hash = crypto.createHash("sha256");
	for (const part of parts)
		hash.update(String(part));
	return hash.digest("hex");
}

const records = [];
for (const n of numbers(count))
	records.push({ key: n, name: "name-" + n.toString(36), tags: [n % 97, n % 9973] });
console.log("built", records.length);

records.sort((a, b) => a.key - b.key || (a.name < b.name ? -1 : 1));
console.log("sorted", digest(records.map((r) => r.name)));

const index = new Map(records.map((r) => [r.name, r]));
let found = 0;
for (const n of numbers(count))
	found += index.get("name-" + n.toString(36)).tags[0];
console.log("indexed", index.size, found);

const kept = records.filter((r, i) => i % 2 === 0);
records.length = 0;
index.clear();
const buffers = kept.slice(0, count / 50).map((r) => Buffer.alloc(2000, r.name));
console.log("buffers", digest(buffers.map((b) => b.readUInt32LE(1000))));

const text = JSON.stringify(kept);
console.log("text", text.length, digest([text]));
console.log("parsed", digest(JSON.parse(text).map((r) => r.tags[1])));
