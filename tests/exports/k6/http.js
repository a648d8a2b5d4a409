// As much of k6's http module as the exported scripts use: it waits for each answer, as k6 does.
import { MessageChannel, Worker, receiveMessageOnPort } from "node:worker_threads";

export const tally = {}; // name -> { sent, failed, statuses, closed }

const signal = new Int32Array(new SharedArrayBuffer(4));
const { port1, port2 } = new MessageChannel();
const worker = new Worker(
  `
  const { workerData } = require("node:worker_threads");
  const http = require("node:http");
  const { port, signal } = workerData;
  const agent = new http.Agent({ keepAlive: true });
  port.on("message", ([method, url, body, params]) => {
    const headers = { ...params.headers };
    if (body !== null) headers["Content-Length"] = Buffer.byteLength(body);
    const done = (answer) => {
      port.postMessage(answer);
      Atomics.store(signal, 0, 1);
      Atomics.notify(signal, 0);
    };
    const request = http.request(url, { method, headers, agent, timeout: parseInt(params.timeout) }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (data) => (text += data));
      response.on("end", () => done({ status: response.statusCode, body: text }));
    });
    request.on("error", (error) => done({ status: 0, body: null, error: String(error) }));
    request.end(body === null ? undefined : body);
  });
  `,
  { eval: true, workerData: { port: port2, signal }, transferList: [port2] },
);

export function close() {
  return worker.terminate();
}

function request(method, url, body, params) {
  Atomics.store(signal, 0, 0);
  port1.postMessage([method, url, body, { ...params, responseCallback: undefined }]);
  Atomics.wait(signal, 0, 0);
  const answer = receiveMessageOnPort(port1).message;
  const ok = params.responseCallback(answer.status);
  const entry = (tally[params.tags.name] ??= { sent: 0, failed: 0, closed: 0, statuses: {} });
  entry.sent += 1;
  entry.failed += ok ? 0 : 1;
  entry.closed += params.headers.Connection === "close" ? 1 : 0;
  entry.statuses[answer.status] = (entry.statuses[answer.status] || 0) + 1;
  return { status: answer.status, body: params.responseType === "none" ? null : answer.body };
}

export default {
  request,
  batch: (requests) => requests.map((one) => request(...one)),
  expectedStatuses: (...expected) => (status) =>
    expected.some((one) => (typeof one === "number" ? one === status : one.min <= status && status <= one.max)),
};
