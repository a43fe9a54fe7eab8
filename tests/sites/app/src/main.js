import "./main.css";

// What a path shows is loaded when it is asked for.
const routes = [
  [/^\/$/, () => import("./pages/home.js")],
  [/^\/signals\/(\d+)$/, () => import("./pages/signal.js")],
  [/^\/about$/, () => import("./pages/about.js")],
];
const main = document.querySelector("main");

async function show() {
  for (const [pattern, load] of routes) {
    const found = pattern.exec(location.pathname);
    if (found) {
      const page = await load();
      main.innerHTML = page.render(...found.slice(1));
      return;
    }
  }
  main.innerHTML = "<h1>No such signal</h1>";
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || link.origin !== location.origin) return;
  event.preventDefault();
  history.pushState({}, "", link.href);
  show();
});
addEventListener("popstate", show);
show();
