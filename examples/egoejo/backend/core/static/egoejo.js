// Sends a form to an API as it stands, and says what is wrong with it; `then` runs if nothing is.
function sends(form, then) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const trouble = form.querySelector(".trouble");
    const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
    trouble.textContent = "";
    const headers = token ? { "X-CSRFToken": token[1] } : {};
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers });
    if (answer.ok) return then(form);
    const told = await answer.json().catch(() => ({ "": answer.statusText }));
    trouble.textContent = Object.values(told).flat().join(" ");
  });
}

// Keeps the figures of the dashboard up to date: the web socket tells of news, and it asks now and then for what was missed.
function follows(figures, socket, api) {
  let last = null;
  const show = (metrics) => {
    for (const box of figures.querySelectorAll("b")) {
      if (!last || last[box.id] === metrics[box.id]) continue;
      box.textContent = metrics[box.id].toLocaleString("fr");
      box.classList.add("new");
      setTimeout(() => box.classList.remove("new"), 600);
    }
    last = metrics;
  };
  const ask = async () => show(await (await fetch(api)).json());
  const connect = () => {
    const line = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}${socket}`);
    line.onopen = ask;
    line.onmessage = (event) => show(JSON.parse(event.data));
    line.onclose = () => setTimeout(connect, 3000);
  };
  connect();
  setInterval(ask, 5000);
}
