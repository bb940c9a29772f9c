// Everything pages share. Without it all pages still work; it only makes them quicker to use.
import { enableMenus, enableDrawer } from "./menu.js";
import { enableCopying } from "./copy.js";
import { enableThemeChoice } from "./theme.js";
import { enableDialogs } from "./dialog.js";
import { enableCaptcha } from "./captcha.js";
import { enableForms } from "./forms.js";
import { enableLiveParts } from "./live.js";
import { enableSecrets } from "./secret.js";

enableMenus();
enableDrawer();
enableCopying();
enableThemeChoice();
enableDialogs();
enableCaptcha();
enableForms();
enableLiveParts();
enableSecrets();
