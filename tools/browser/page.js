// What the driver finds in a page, as a reader of the screen would: by roles and names. Shadow roots are looked into.
(() => {
  function* every(root) {
    for (const element of root.querySelectorAll('*')) {
      yield element;
      if (element.shadowRoot) yield* every(element.shadowRoot);
    }
  }
  const ROLES = {
    button: 'button:not([role=tab])', link: 'a[href]', tab: '[role=tab]', summary: 'summary', heading: 'h1, h2, h3',
    field: 'input, select, textarea, [contenteditable=true]',
  };
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const words = (text) => text.replace(/\s+/g, ' ').trim();
  const nameOf = (element) => {
    const label = element.getAttribute('aria-label');
    if (label !== null) return words(label);
    if (!element.matches(ROLES.field)) return words(element.textContent);
    const around = element.closest('label');
    return around ? words((around.querySelector('.label') ?? around).textContent) : '';
  };
  const find = (role, name) => [...every(document)].find((each) => each.matches(ROLES[role]) && shown(each) && nameOf(each).startsWith(name));
  window.driver = {
    violations: [],
    has: (role, name) => find(role, name) !== undefined,
    spot: (role, name) => {
      const element = find(role, name);
      if (!element) return null;
      element.scrollIntoView({ block: 'center', behavior: 'instant' });
      const { x, y, width, height } = element.getBoundingClientRect();
      return [x + Math.min(width / 2, 40), y + Math.min(height / 2, 20)];
    },
    choose: (name, value) => {
      const select = find('field', name);
      select.value = [...select.options].find((each) => each.text === value).value;
      select.dispatchEvent(new Event('change', { bubbles: true }));
    },
    text: () => document.body.innerText,
    focused: () => {
      let element = document.activeElement;
      while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
      return element ? `${element.tagName.toLowerCase()} ${nameOf(element)}` : '';
    },
    inside: (selector) => [...every(document)].filter((each) => each.matches(selector)).map((each) => each.textContent),
  };
  addEventListener('securitypolicyviolation', (event) => {
    window.driver.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
  });
})();
