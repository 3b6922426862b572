package web

import (
	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/find"
)

// phrasesOfWays are the steps of explain: how mail comes in, and which way it goes.
var phrasesOfWays = []phrase{
	{"It comes from a program on this host, which may send to everybody.", "来自本机程序，可以发往任何地址。"},
	{"%s is in the relay network %s, and may send to everybody.", "%s 属于中继网络 %s，可以发往任何地址。"},
	{"%s has logged in, and may send to everybody.", "%s 已登录，可以发往任何地址。"},
	{"%s is a stranger, who may send to those who live here.", "%s 是外部客户端，只能发往本地地址。"},
	{"The listener \"%s\" takes %s octets, of at most %s.", "监听器“%s”接收 %s 字节的邮件，上限为 %s。"},
	{"The listener \"%s\" refuses %s octets: it takes %s at most.", "监听器“%s”拒收 %s 字节的邮件：上限为 %s。"},
	{"It names no domain.", "地址中没有域名。"},
	{"It names no domain. Everybody may send there by us.", "地址中没有域名。任何人都可经由本机发往该处。"},
	{"The domain %s is not one of ours.", "域 %s 不是本地域。"},
	{"The domain %s is not one of ours. Everybody may send there by us.", "域 %s 不是本地域。任何人都可经由本机发往该域。"},
	{"The domain %s is ours, and nobody is known there by the name.", "域 %s 是本地域，但其中没有该用户。"},
	{"<%s> is %s here.", "<%s> 是本地的%s。"},
	{"a mailbox", "邮箱"},
	{"an alias", "别名"},
	{"somebody who has moved, and to whom we send it on,", "已迁移的用户（邮件会转发给他）"},
	{"somebody who has moved", "已迁移的用户"},
	{"\"%s\" has moved to %s.", "“%s”已迁移到 %s。"},
	{"\"%s\" is %s here.", "“%s”是本地的%s。"},
	{"\"%s\" is %s for %s.", "“%s”是%s，指向 %s。"},
	{"\"%s\" is %s for %s:", "“%s”是%s，指向 %s 个地址："},
	{"It is refused: %s", "会被拒绝：%s"},
	{"It is taken, and the sender told: %s", "会被接收，并答复发件人：%s"},
	{"It is taken, for one recipient.", "会被接收，共 1 个收件人。"},
	{"It is taken, for %s recipients.", "会被接收，共 %s 个收件人。"},
	{"It waits: nothing is sent while the configuration says hold = true.", "需要等待：配置为 hold = true 时不发送任何邮件。"},

	{"The alias leads into %s: %s carries it.", "别名指向 %s：由 %s 投递。"},
	{"No route fits. The mail waits until one is configured.", "没有匹配的路由。邮件会一直等待，直到配置了路由。"},
	{"There is no transport \"%s\". The mail waits until there is one.", "没有名为“%s”的传输方式。邮件会一直等待，直到有了它。"},
	{"Route \"%s\" does not fit: the %s is %s.", "路由“%s”不匹配：%s是 %s。"},
	{"recipient", "收件人"},
	{"sender", "发件人"},
	{"source", "来源"},
	{"login", "登录名"},
	{"Route \"%s\" fits: %s carries it.", "路由“%s”匹配：由 %s 投递。"},
	{"Route \"%s\" fits: %s carries it to %s.", "路由“%s”匹配：由 %s 投递到 %s。"},
	{"It would be %s: %s", "结果将是%s：%s"},
	{"delivered", "已投递"},
	{"deferred", "推迟"},
	{"failed", "失败"},
	{"expired", "过期"},
	{"The first of these hosts that takes it gets it:", "投递给以下主机中第一个接收的："},
	{"This host gets it:", "投递给这台主机："},
	{"nobody can have forged the names: they are signed, or configured", "主机名不可能被伪造：已签名，或由配置指定"},
	{"%s (%s) at %s; TLS: %s", "%s（优先级 %s），地址 %s；TLS：%s"},
	{"no address", "无地址"},

	{"Deliveries at a time: %s to this destination, %s to its operator, %s by this route; up to %s recipients in each.", "同时投递数：到此目的地 %s，到其运营方 %s，经此路由 %s；每次最多 %s 个收件人。"},
	{"over all nodes %s to this destination; this node has %s of them, and %s in use", "所有节点合计到此目的地 %s；本节点占其中 %s，正在使用 %s"},
	{"over all nodes %s to its operator; this node has %s of them, and %s in use", "所有节点合计到其运营方 %s；本节点占其中 %s，正在使用 %s"},
	{"over all nodes %s by this route; this node has %s of them, and %s in use", "所有节点合计经此路由 %s；本节点占其中 %s，正在使用 %s"},
	{"any number", "不限"},
	{"%s (%s in %s)", "%s（每 %[3]s %[2]s 次）"},
	{"%s: at %s", "%s：见 %s"},
	{"to this destination", "到此目的地"},
	{"to this destination in a time", "到此目的地的速率"},
	{"to its operator", "到其运营方"},
	{"to its operator in a time", "到其运营方的速率"},
	{"by this route", "经此路由"},
	{"by this route in a time", "经此路由的速率"},
	{"recipients in each", "每次的收件人数"},
	{"retry", "重试间隔"},
	{"expire", "放弃期限"},
	{"warn", "延迟通知"},
	{"Nothing is known of the destination yet: it is tried at once.", "对此目的地尚无记录：立即尝试。"},
	{"The destination is down since %s (tries in vain: %s).", "目的地自 %s 起不可达（已尝试 %s 次，均未成功）。"},
	{"it is probed again at %s", "下次探测时间：%s"},
	{"The destination is well, and the next delivery may begin at %s.", "目的地正常，下一次投递可于 %s 开始。"},
	{"The destination is well: it is tried at once.", "目的地正常：立即尝试。"},
	{"The destination is well: %s deliveries are under way, and %s recipients are in the window.", "目的地正常：%s 次投递进行中，窗口中有 %s 个收件人。"},
	{"If it is deferred it is tried again after %s; it is given up after %s.", "如被推迟，%s 后重试；%s 后放弃。"},
	{"If it is deferred it is tried again after %s; the sender hears of a delay after %s; it is given up after %s.", "如被推迟，%s 后重试；%s 后通知发件人延迟；%s 后放弃。"},

	// Notes of a plan, and TLS.
	{"%s of the MX records of %s are not used: too many, or malformed", "%[2]s 的 MX 记录有 %[1]s 条未使用：过多，或格式有误"},
	{"%s has the address %s, where no host can be", "%s 的地址是 %s，那里不可能有主机"},
	{"%s (preference %s) is this host; it and those behind it are left out", "%s（优先级 %s）就是本机；它及其后的主机均略过"},
	{"%s has no address: %s", "%s 没有地址：%s"},
	{"%s is not used: %s", "%s 不使用：%s"},
	{"%s has a policy that cannot be had: %s", "无法取得 %s 的策略：%s"},
	{"not used: %s", "不使用：%s"},
	{"required", "必须加密"},
	{"opportunistic", "尽量加密"},
	{"implicit", "直接 TLS"},
	{"never", "不加密"},
	{"encrypted", "必须加密"},
	{"verified", "必须加密并验证"},
	{"opportunistic (%s)", "尽量加密（%s）"},
	{"encrypted (%s)", "必须加密（%s）"},
	{"verified (%s)", "必须加密并验证（%s）"},
	{"never (%s)", "不加密（%s）"},
	{"tls \"%s\" in %s", "%[2]s 中的 tls “%[1]s”"},
	{"DANE, the TLSA records of %s", "DANE，%s 的 TLSA 记录"},
	{"DANE, the TLSA records of %s, of which none can be used: TLS with any certificate", "DANE，%s 的 TLSA 记录均不可用：加密，但不验证证书"},
	{"the MTA-STS policy of %s, id %s, does not name %s", "%s 的 MTA-STS 策略（id %s）未列出 %s"},
	{"MTA-STS policy of %s, id %s", "%s 的 MTA-STS 策略，id %s"},
	{"%s had verified TLS on %s; mail waits for it up to %s", "%s 曾于 %s 通过 TLS 验证；邮件最多为此等待 %s"},
	{"%s had verified TLS on %s; mail waits for it until %s", "%s 曾于 %s 通过 TLS 验证；邮件为此等待到 %s"},
	{"%s had verified TLS on %s and has had none since %s, so that mail goes without", "%s 曾于 %s 通过 TLS 验证，自 %s 起不再通过，因此邮件不再要求验证"},

	// Words of a filter, and of a search.
	{admin.FilterHelp, `筛选条件由若干词组成，须全部满足；不写则为整个队列。

  to:*@example.com    收件人（最终的或原先的）；* 代表任意文字
  from:ann@*          发件人；from:<> 是报告使用的空发件人
  dest:example.com    邮件等待前往的目的地
  state:deferred      已推迟；或 fresh（从未尝试）、held（已扣留）
  is:active           正在投递或即将投递；is:waiting：尚未
  is:suspect          下一次尝试可能造成重复投递
  age:>2h  age:<30m   到达至今的时间：s、m、h、d、w
  due:<10m            在此时间内应再次尝试
  size:>1MB           邮件大小；也可用 <，单位 kB、GB、KiB、MiB、GiB
  reply:4.7           最近的回复以此开头，或含有此文字
  subject:*invoice*   主题
  login:ann           登录者
  id:ID               某一封邮件；只写编号亦可
  ann@example.com     只写地址等同于 to:

含空格的词要加引号：reply:"user unknown"。`},
	{find.Help, `搜索由若干词组成，须全部满足：

  ann@sina.example    地址（发件人或收件人），或 Message-ID
  sina.example        域名、主机，或一个词
  invoice             主题或回复中的词
  invo*               以此开头的词
  from:X  to:X        地址或域名
  subject:X  reply:X  主题或回复中的词（“4.7.1”、“greylisted”）
  host:X              投递到的主机
  client:ADDRESS      送来邮件的客户端
  login:NAME          登录者，或下达操作者
  fate:X              delivered、relayed、deferred、failed、expired、discarded、removed、reported
  06j2kz4k9rq0m3c5tz1g    邮件编号`},
}
