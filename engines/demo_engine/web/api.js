// Talking to the engine. Every address is relative, so the page works under any host and path.

export async function call(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(await sentence(response));
  return response.status === 204 ? null : response.json();
}

async function sentence(response) {
  const answer = await response.json().catch(() => null);
  const detail = answer?.detail;
  if (Array.isArray(detail)) return detail.map((problem) => `${problem.loc.at(-1)}: ${problem.msg}`).join(". ");
  return detail || `The engine answered ${response.status}.`;
}

// Keeps one WebSocket open: back-off doubles from half a second to fifteen, with a little chance so that pages do not come in step.
export function stayConnected({ onMessage, onState }) {
  let wait = 500;
  const connect = () => {
    onState("connecting");
    const address = new URL("ws", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.onmessage = (event) => {
      wait = 500;
      onState("live");
      onMessage(JSON.parse(event.data));
    };
    socket.onclose = () => {
      onState("lost");
      setTimeout(connect, wait * (0.75 + Math.random() / 2));
      wait = Math.min(wait * 2, 15000);
    };
  };
  connect();
}
