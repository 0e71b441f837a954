// Lists a job with the AWS SDK for JavaScript v3, with the protocol of contenders.py.
const { readFileSync } = require("node:fs");
const { createInterface } = require("node:readline");
const { IoTClient, paginateListJobExecutionsForJob } = require("@aws-sdk/client-iot");

const clients = new Map();

function clientOf(endpoint) {
  if (!clients.has(endpoint)) {
    const credentials = { accessKeyId: "testing", secretAccessKey: "testing" };
    clients.set(endpoint, new IoTClient({ region: "us-east-1", endpoint, credentials }));
  }
  return clients.get(endpoint);
}

function cpuSeconds() {
  const usage = process.cpuUsage();
  return (usage.user + usage.system) / 1e6;
}

async function listOnce({ url, job_id: jobId }) {
  const start = performance.now();
  const cpuStart = cpuSeconds();
  let count = 0;
  const pages = paginateListJobExecutionsForJob({ client: clientOf(url), pageSize: 250 }, { jobId });
  for await (const page of pages) {
    for (const _ of page.executionSummaries) count += 1;
  }
  const cpu = cpuSeconds();
  const wall = (performance.now() - start) / 1000;
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
  return { count, cpu: cpu - cpuStart, process_cpu: cpu, wall, peak };
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await listOnce(JSON.parse(line))));
  }
}

main();
