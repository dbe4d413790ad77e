// A tus server by others: node tus_server.mjs PACKAGES FOLDER PORT
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [packages, directory, port] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${packages}/package.json`));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { Server } = await load("@tus/server");
const { FileStore } = await load("@tus/file-store");

const server = new Server({ path: "/files", datastore: new FileStore({ directory }) });
server.listen({ host: "127.0.0.1", port: Number(port) });
