package milter

// Commands, from us to the program.
const (
	cmdNegotiate  = 'O'
	cmdMacros     = 'D'
	cmdConnect    = 'C'
	cmdHello      = 'H'
	cmdMail       = 'M'
	cmdRcpt       = 'R'
	cmdData       = 'T'
	cmdField      = 'L'
	cmdEndFields  = 'N'
	cmdBody       = 'B'
	cmdEnd        = 'E'
	cmdAbort      = 'A'
	cmdQuit       = 'Q'
	cmdNextClient = 'K' // quits, and another client follows on this connection
)

// Answers of the program.
const (
	saysContinue = 'c'
	saysAccept   = 'a'
	saysDiscard  = 'd'
	saysReject   = 'r'
	saysTempfail = 't'
	saysReply    = 'y' // with a code and a text
	saysSkip     = 's' // no more of the body
	saysProgress = 'p' // it is at work
	saysShutdown = '4' // 421, and the connection ends
)

// Changes to a message, before the answer to its end.
const (
	addsField      = 'h'
	insertsField   = 'i'
	changesField   = 'm'
	replacesBody   = 'b'
	changesSender  = 'e'
	addsRcpt       = '+'
	addsRcptWith   = '2' // ESMTP arguments
	removesRcpt    = '-'
	wantsItAsJunk  = 'q'
	versionWeSpeak = 6
	versionOfData  = 4 // in which cmdData came
	versionOfReuse = 6 // in which cmdNextClient came, as far as is known
)

// What a program may do to a message, as it says in the negotiation.
const (
	mayAddFields uint32 = 1 << iota
	mayChangeBody
	mayAddRcpts
	mayRemoveRcpts
	mayChangeFields
	mayQuarantine
	mayChangeSender
	mayAddRcptsWith
	mayNameMacros // the macros that it wants to hear, by stage

	mayDoAll = 1<<iota - 1
)

// What a program does not want to hear, or does not answer.
const (
	skipsConnect   uint32 = 1 << 0
	skipsHello     uint32 = 1 << 1
	skipsMail      uint32 = 1 << 2
	skipsRcpt      uint32 = 1 << 3
	skipsBody      uint32 = 1 << 4
	skipsFields    uint32 = 1 << 5
	skipsEndFields uint32 = 1 << 6
	silentFields   uint32 = 1 << 7
	skipsUnknown   uint32 = 1 << 8 // of which we never tell
	skipsData      uint32 = 1 << 9
	knowsSkip      uint32 = 1 << 10
	silentConnect  uint32 = 1 << 12
	silentHello    uint32 = 1 << 13
	silentMail     uint32 = 1 << 14
	silentRcpt     uint32 = 1 << 15
	silentData     uint32 = 1 << 16
	silentUnknown  uint32 = 1 << 17
	silentEnd      uint32 = 1 << 18 // of the fields
	silentBody     uint32 = 1 << 19
	keepsSpace     uint32 = 1 << 20 // in front of the value of a field

	offersAll = skipsConnect | skipsHello | skipsMail | skipsRcpt | skipsBody | skipsFields | skipsEndFields | silentFields |
		skipsUnknown | skipsData | knowsSkip | silentConnect | silentHello | silentMail | silentRcpt | silentData |
		silentUnknown | silentEnd | silentBody | keepsSpace
)

// stagesOfMacros are the stages for which a program may name macros, by their numbers (libmilter's SMFIM_).
var stagesOfMacros = []byte{cmdConnect, cmdHello, cmdMail, cmdRcpt, cmdData, cmdEnd, cmdEndFields}

// command is what is said at a stage, and how a program declines to hear or answer it.
type command struct {
	code          byte
	skips, silent uint32
}

var (
	sayConnect   = command{cmdConnect, skipsConnect, silentConnect}
	sayHello     = command{cmdHello, skipsHello, silentHello}
	sayMail      = command{cmdMail, skipsMail, silentMail}
	sayRcpt      = command{cmdRcpt, skipsRcpt, silentRcpt}
	sayData      = command{cmdData, skipsData, silentData}
	sayField     = command{cmdField, skipsFields, silentFields}
	sayEndFields = command{cmdEndFields, skipsEndFields, silentEnd}
	sayBody      = command{cmdBody, skipsBody, silentBody}
	sayEnd       = command{cmdEnd, 0, 0}
)
