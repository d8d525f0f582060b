// Shows openapi.json, which lies beside this page, in the colours that the browser prefers.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

async function show() {
  const contract = await (await fetch("openapi.json")).json();
  // The service may lie below a prefix: the page is asked for beside what it calls.
  contract.servers = [{ url: location.pathname.replace(/\/docs$/, "") || "/" }];
  SwaggerUIBundle({
    spec: contract,
    dom_id: "#reference",
    deepLinking: true,
    displayRequestDuration: true,
    requestSnippetsEnabled: true,
    tryItOutEnabled: true,
    // The validator is a service on the internet.
    validatorUrl: null,
  });
}

show().catch((error) => {
  document.getElementById("reference").textContent = `The contract could not be loaded: ${error}`;
});
