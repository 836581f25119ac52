// SPDX-License-Identifier: ISC
//
// What t/mcp runs: hosts of two agents, by the protocol's official client.
//
//	node mcp.mjs REEVE SERVERS CREDS-DIRECTORY CLIENT-DIRECTORY
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [reeve, servers, creds, dir] = process.argv.slice(2);
const sdk = `${dir}/node_modules/@modelcontextprotocol/sdk/dist/esm`;
const load = (path) => import(pathToFileURL(`${sdk}/${path}`).href);
const { Client } = await load("client/index.js");
const { StdioClientTransport } = await load("client/stdio.js");
// The client of 2026-07-28 is a package of its own.
const next = `${dir}/node_modules/@modelcontextprotocol/client/dist`;
const { Client: NextClient } = await import(
	pathToFileURL(`${next}/index.mjs`).href);
const { StdioClientTransport: NextTransport } = await import(
	pathToFileURL(`${next}/stdio.mjs`).href);
// JSON Schema draft 2020-12, as the client itself has it.
const Ajv = createRequire(`${dir}/node_modules/`)("ajv/dist/2020.js").default;

const WAIT_MS = 20000;		// for a machine that does much else
const VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
const NEWEST = "2026-07-28";
const ALL = ["cotal_anycast", "cotal_channel_info", "cotal_channel_mode",
	"cotal_channels", "cotal_despawn", "cotal_dm", "cotal_inbox",
	"cotal_join", "cotal_leave", "cotal_orientation", "cotal_persona",
	"cotal_reconnect", "cotal_roster", "cotal_send", "cotal_spawn",
	"cotal_status"];
const SPAWNERS = ["cotal_persona", "cotal_spawn"];

const mesh = (name, more) => ({ PATH: process.env.PATH, COTAL_NAME: name,
	COTAL_SPACE: "demo", COTAL_SERVERS: servers,
	COTAL_CREDS: `${creds}/${name}.creds`, ...more });
const alice = mesh("alice", { COTAL_ROLE: "builder",
	COTAL_SUBSCRIBE: "general", COTAL_ALLOW_SUBSCRIBE: "general,dev,team.>",
	COTAL_ALLOW_PUBLISH: "general,dev", COTAL_CAPABILITIES: "spawn" });
const bob = mesh("bob", { COTAL_ALLOW_PUBLISH: "general" });
const off = { PATH: process.env.PATH };
// A port of nobody's, most of the time; and nobody there speaks NATS.
const nowhere = { ...alice, COTAL_SERVERS: "nats://127.0.0.1:1" };

// --- a session ---------------------------------------------------------------

class Session {
	constructor(env) {
		this.wakes = [];
		this.waiting = [];
		this.env = env;
	}
	// version: what the client says that it speaks; NULL: its newest.
	async open(version) {
		this.transport = new StdioClientTransport({ command: reeve,
			args: ["mcp"], env: this.env, stderr: "pipe" });
		this.transport.stderr.on("data", () => {});
		const send = this.transport.send.bind(this.transport);
		this.transport.send = (message) => {
			if (version && message.method === "initialize")
				message.params.protocolVersion = version;
			return send(message);
		};
		this.client = this.heard(new Client({ name: "t",
			version: "1" }));
		await this.client.connect(this.transport);
		return this;
	}
	async call(name, args) {
		const r = await this.client.callTool({ name, arguments: args });
		assert.equal(r.content.length, 1);
		assert.equal(r.content[0].type, "text");
		return { bad: r.isError === true, text: r.content[0].text };
	}
	// Called again until it says so.
	async until(name, args, pattern) {
		const end = Date.now() + WAIT_MS;
		for (;;) {
			const r = await this.call(name, args);
			if (!r.bad && pattern.test(r.text))
				return r.text;
			assert(Date.now() < end, `${name}: ${r.text}`);
			await new Promise((f) => setTimeout(f, 20));
		}
	}
	// The next wake whose content is like that.
	async woken(pattern) {
		const end = Date.now() + WAIT_MS;
		for (;;) {
			const i = this.wakes.findIndex((n) => n.method ===
			    "notifications/claude/channel" &&
			    pattern.test(n.params.content));
			if (i !== -1)
				return this.wakes.splice(i, 1)[0];
			assert(Date.now() < end, `no wake ${pattern} in ` +
			    JSON.stringify(this.wakes));
			await new Promise((f) => {
				const t = setTimeout(f, 200);
				this.waiting.push(() => { clearTimeout(t); f(); });
			});
		}
	}
	heard(client) {
		client.fallbackNotificationHandler = async (n) => {
			this.wakes.push(n);
			this.waiting.splice(0).forEach((f) => f());
		};
		return client;
	}
	// As a host ends it: its input ends, and so does it.
	async close() {
		const child = this.transport._process;
		const ended = new Promise((f) => child.once("exit",
			(code, signal) => f(code ?? signal)));
		await this.client.close();
		assert.equal(await ended, 0);
	}
}

// By the newer client; mode: how it chooses a version.
class NextSession extends Session {
	async open(mode, args = ["mcp"]) {
		this.transport = new NextTransport({ command: reeve, args,
			env: this.env, stderr: "pipe" });
		this.transport.stderr.on("data", () => {});
		this.client = this.heard(new NextClient({ name: "t",
			version: "1" }, { versionNegotiation: { mode } }));
		await this.client.connect(this.transport);
		return this;
	}
}

// --- the checks ------------------------------------------------------------------

let checks = 0, failures = 0;
async function check(name, fn) {
	checks++;
	try {
		await fn();
	} catch (e) {
		failures++;
		console.log(`${name}:F: ${e.stack ?? e}`);
	}
}

// [tool, arguments, what it says]; a tool's error is {bad: what it says}.
const TABLE = [
	["cotal_orientation", {}, /You are alice, role builder/],
	["cotal_orientation", { x: 1 }, { bad: /takes no argument "x"/ }],
	["cotal_roster", {}, /- alice \(you\), role builder: /],
	["cotal_roster", { role: "builder", offline: true }, /^1 agent/],
	["cotal_roster", { offline: "yes" }, { bad: /true or false/ }],
	["cotal_channels", {}, /- general: joined/],
	["cotal_channels", { all: true }, { bad: /it takes none/ }],
	["cotal_channel_info", { channel: "#general" }, /^general: joined/],
	["cotal_channel_info", {}, { bad: /channel is missing/ }],
	["cotal_channel_info", { channel: "team.>" }, { bad: /a pattern/ }],
	["cotal_join", { channel: "dev" }, /Joined dev; it is kept/],
	["cotal_join", { channel: "dev" }, /hear dev already/],
	["cotal_join", { channel: "team.>" }, /Joined team/],
	["cotal_join", { channel: "secret" }, { bad: /You may hear: general/ }],
	["cotal_join", { channel: "a b" }, { bad: /not a channel/ }],
	["cotal_join", { channel: "" }, { bad: /1 to 512 characters/ }],
	["cotal_join", { channel: 7 }, { bad: /expected a string/ }],
	["cotal_leave", { channel: "team.x" }, { bad: /team\.>$/ }],
	["cotal_leave", { channel: "team.>" }, /^Left team/],
	["cotal_leave", { channel: "dev" }, /^Left dev/],
	["cotal_leave", { channel: "dev" }, { bad: /not joined dev/ }],
	["cotal_leave", { channel: "*." }, { bad: /not a channel/ }],
	["cotal_status", {}, /Attention: open/],
	["cotal_status", { status: "working", activity: "x" }, /working/],
	["cotal_status", { attention: "focus" }, /Attention: focus/],
	["cotal_status", { attention: "open" }, /Attention: open/],
	["cotal_status", { status: "asleep" }, { bad: /"idle", "working" or/ }],
	["cotal_status", { activity: "a\nb" }, { bad: /one line/ }],
	["cotal_channel_mode", { channel: "general", mode: "quiet" }, /quiet/],
	["cotal_channel_mode", { channel: "general", mode: "normal" },
	    /general/],
	["cotal_channel_mode", { channel: "secret", mode: "quiet" },
	    { bad: /secret/ }],
	["cotal_channel_mode", { channel: "general", mode: "loud" },
	    { bad: /expected/ }],
	["cotal_send", { channel: "general", text: "hello" }, /^Sent to/],
	["cotal_send", { channel: "secret", text: "x" },
	    { bad: /may post to: general, dev/ }],
	["cotal_send", { channel: "team.>", text: "x" }, { bad: /a pattern/ }],
	["cotal_send", { channel: "general", text: "x", mentions: ["nobody"] },
	    { bad: /nobody/ }],
	["cotal_send", { channel: "general" }, { bad: /text is missing/ }],
	["cotal_dm", { to: "nobody", text: "x" }, { bad: /nobody/ }],
	["cotal_dm", { to: "bob" }, { bad: /text is missing/ }],
	["cotal_anycast", { role: "builder", text: "x" }, /builder/],
	["cotal_anycast", { role: "", text: "x" }, { bad: /role/ }],
	["cotal_inbox", {}, /./],
	["cotal_inbox", { n: 1 }, { bad: /takes no|takes/ }],
	["cotal_persona", { name: "poet", persona: "You write poems." },
	    /persona poet is written/],
	["cotal_persona", { name: "../x", persona: "x" }, { bad: /refused/ }],
	["cotal_persona", { name: "helper", persona: "x" },
	    { bad: /not yours/ }],
	["cotal_persona", { name: "x" }, { bad: /persona is missing/ }],
	["cotal_spawn", { name: "helper" }, /^Started helper /],
	["cotal_spawn", { name: "nobody-wrote-this" }, { bad: /refused/ }],
	["cotal_spawn", { name: "helper", config: "/x" },
	    { bad: /no argument "config"/ }],
	["cotal_despawn", { name: "helper", graceful: false },
	    /^Ended helper/],
	["cotal_despawn", { name: "helper" }, { bad: /./ }],
	["cotal_despawn", {}, { bad: /name is missing/ }],
	["cotal_reconnect", {}, /Connected anew/],
	["cotal_reconnect", { now: true }, { bad: /takes none/ }],
	["cotal_send", { channel: "dev", text: "still here" }, /^Sent to/],
];

async function tools_are_listed(client, expected, version) {
	const ajv = new Ajv({ strict: true });
	const { tools } = await client.listTools();
	assert.deepEqual(tools.map((t) => t.name).sort(), expected);
	for (const t of tools) {
		assert(t.description.length > 40, t.name);
		assert.equal(t.title !== undefined, version >= "2025-06-18");
		assert.equal(t.annotations !== undefined,
		    version >= "2025-03-26");
		ajv.compile(t.inputSchema);
	}
}

for (const version of VERSIONS)
	await check(`version ${version}`, async () => {
		const s = await new Session(off).open(version);
		const { name, version: its } = s.client.getServerVersion();
		assert.equal(name, "cotal");
		assert(its);
		assert.deepEqual(s.client.getServerCapabilities(), { tools: {},
			experimental: { "claude/channel": {} } });
		assert.match(s.client.getInstructions(), /cotal_orientation/);
		await s.client.ping();
		await tools_are_listed(s.client, ALL.filter((n) =>
		    !SPAWNERS.includes(n)), version);
		await s.close();
	});

await check("off the mesh each tool says so", async () => {
	const s = await new Session(off).open();
	const { tools } = await s.client.listTools();
	const args = { channel: "general", text: "x", to: "x", role: "x",
		name: "x", mode: "quiet" };
	for (const t of tools) {
		const own = Object.fromEntries((t.inputSchema.required ?? [])
			.map((k) => [k, args[k]]));
		const r = await s.call(t.name, own);
		assert.match(r.text, /mesh.*COTAL_NAME/s, t.name);
		assert.equal(r.bad, t.name !== "cotal_orientation", t.name);
	}
	await assert.rejects(s.client.callTool({ name: "cotal_x" }), /-32602/);
	await assert.rejects(s.client.listResources(), /-32601/);
	await s.close();
});

await check("before the mesh is there tools are served", async () => {
	const s = await new Session(nowhere).open();
	const r = await s.until("cotal_orientation", {}, /not reached yet: /);
	assert.match(r, /You are alice/);
	const sent = await s.call("cotal_send", { channel: "general",
		text: "x" });
	assert(sent.bad);
	assert.match(sent.text, /Not connected yet.*tried again/s);
	const anew = await s.call("cotal_reconnect", {});
	assert(anew.bad);
	assert.match(anew.text, /Not connected: /);
	await s.close();
});

for (const mode of ["auto", { pin: NEWEST }])
	await check(`version ${NEWEST}, ${JSON.stringify(mode)}`, async () => {
		const s = await new NextSession(off).open(mode);
		const c = s.client;
		assert.equal(c.getNegotiatedProtocolVersion(), NEWEST);
		assert.equal(c.getServerVersion().name, "cotal");
		// What is experimental has no way to the client.
		assert.deepEqual(c.getServerCapabilities(), { tools: {} });
		assert.match(c.getInstructions(), /cotal_orientation/);
		assert.deepEqual((await c.discover()).supportedVersions,
			[NEWEST]);
		await tools_are_listed(c, ALL.filter((n) =>
		    !SPAWNERS.includes(n)), NEWEST);
		const r = await s.call("cotal_orientation", {});
		assert.match(r.text, /COTAL_NAME/);
		assert((await s.call("cotal_inbox", {})).bad);
		await assert.rejects(c.callTool({ name: "cotal_x" }),
			{ code: -32602 });
		const l = await c.listen({ toolsListChanged: true });
		assert.deepEqual(l.honoredFilter, {});
		await l.close();
		assert.equal(await l.closed, "local");
		await s.close();
	});

await check("a session that ends says so to who listens", async () => {
	const s = await new NextSession(off).open("auto");
	const l = await s.client.listen({});
	process.kill(s.transport.pid, "SIGTERM");
	assert.equal(await l.closed, "graceful");
	await s.client.close();
});

// Who speaks both is given what can wake it, when that is wanted.
for (const [mode, args] of [["auto", ["mcp", "--handshake"]],
    ["legacy", ["mcp"]]])
	await check(`${mode}, ${args.join(" ")}`, async () => {
		const s = await new NextSession(off).open(mode, args);
		assert.equal(s.client.getNegotiatedProtocolVersion(),
			"2025-11-25");
		assert.deepEqual(s.client.getServerCapabilities(), { tools: {},
			experimental: { "claude/channel": {} } });
		assert.match((await s.call("cotal_orientation", {})).text,
			/COTAL_NAME/);
		await s.close();
	});

const a = await new Session(alice).open();
await a.until("cotal_orientation", {}, /Connected/);
await a.until("cotal_channels", {}, /- general: joined, kept for you/);
await check("what one that may spawn is offered", () =>
	tools_are_listed(a.client, ALL, "2025-11-25"));
for (const [tool, args, says] of TABLE)
	await check(`${tool} ${JSON.stringify(args)}`, async () => {
		const r = await a.call(tool, args);
		assert.equal(r.bad, says.bad !== undefined, r.text);
		assert.match(r.text, says.bad ?? says);
	});

const b = await new Session(bob).open();
await b.until("cotal_roster", {}, /- alice, role builder/);
await a.until("cotal_roster", {}, /- bob: /);
await b.call("cotal_inbox", {});

await check("a channel wakes who hears it", async () => {
	await a.call("cotal_send", { channel: "general", text: "to all\nof us" });
	const n = await b.woken(/to all/);
	assert.match(n.params.content, /alice/);
	for (const v of Object.values(n.params.meta))
		assert.equal(typeof v, "string");
	// A wake shows it, and the inbox has it until it is read there.
	const r = await b.call("cotal_inbox", {});
	assert.match(r.text, /general.*alice[^]*to all[^]*of us/);
	assert.match((await b.call("cotal_inbox", {})).text, /Nothing is/);
});

await check("who only buffers chatter is woken by a mention", async () => {
	await b.call("cotal_status", { attention: "dnd" });
	await a.call("cotal_send", { channel: "general", text: "chatter" });
	await a.call("cotal_send", { channel: "general", text: "called",
		mentions: ["bob"] });
	await b.woken(/called/);
	assert(!b.wakes.some((n) => /chatter/.test(n.params.content)));
	const r = await b.call("cotal_inbox", {});
	assert.match(r.text, /chatter[^]*called/);
	await b.call("cotal_status", { attention: "open" });
});

await check("a direct message reaches one in focus", async () => {
	await b.call("cotal_status", { attention: "focus" });
	await a.call("cotal_dm", { to: "bob", text: "for you" });
	await b.woken(/for you/);
	assert.match((await b.call("cotal_inbox", {})).text, /for you/);
	await a.call("cotal_send", { channel: "general", text: "held back" });
	const r = await b.until("cotal_inbox", {}, /held back/);
	assert.match(r, /general/);
	await b.call("cotal_status", { attention: "open" });
});

await check("one of a role gets what is for any of them", async () => {
	const r = await b.call("cotal_anycast", { role: "builder",
		text: "build this" });
	assert(!r.bad, r.text);
	await a.woken(/build this/);
	assert.match((await a.call("cotal_inbox", {})).text, /build this/);
});

await check("one that may not spawn can end nobody", async () => {
	const r = await b.call("cotal_despawn", { name: "alice" });
	assert(r.bad);
	assert.match(r.text, /only itself/);
	assert((await b.call("cotal_spawn", { name: "helper" })).bad);
});

await check("a call that is cancelled is not answered", async () => {
	const stop = new AbortController();
	const call = a.client.callTool({ name: "cotal_reconnect" }, undefined,
		{ signal: stop.signal });
	stop.abort("enough");
	await assert.rejects(call, /enough/);
	await a.until("cotal_orientation", {}, /Connected/);
	await a.client.ping();
});

await check("a session ends with its host, and is away", async () => {
	await b.close();
	await a.until("cotal_roster", { offline: true }, /- bob: offline/);
});

await check("the newest version takes part, and is not woken", async () => {
	const s = await new NextSession(bob).open("auto");
	await s.until("cotal_roster", {}, /- alice, role builder/);
	await a.until("cotal_roster", {}, /- bob: /);
	await a.call("cotal_dm", { to: "bob", text: "are you there" });
	assert.match(await s.until("cotal_inbox", {}, /alice/),
		/are you there/);
	const r = await s.call("cotal_dm", { to: "alice", text: "I am" });
	assert(!r.bad, r.text);
	await a.woken(/I am/);
	assert.deepEqual(s.wakes, []);
	await s.close();
	await a.close();
});

console.log(`${Math.floor(100 * (checks - failures) / checks)}%: ` +
    `Checks: ${checks}, Failures: ${failures}, Errors: 0`);
process.exit(failures === 0 ? 0 : 1);
